//! The store from outside, on real files.

mod fixture;
mod jobs;
