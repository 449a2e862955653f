//! Conversations, any split of them, and calls out of order.
