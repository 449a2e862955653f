//! However the client's bytes are split or joined, the same comes of them.

use super::{House, ScriptLine, chunking, conversations, extensions, lines, lmtp};
use proptest::prelude::*;
use proptest::sample::Index;

/// What is said between two handshakes, in one piece.
fn stretches(script: &str) -> Vec<Vec<u8>> {
    let mut stretches = vec![Vec::new()];
    for line in lines(script) {
        match line {
            ScriptLine::Client(bytes) => stretches.last_mut().unwrap().extend(bytes),
            ScriptLine::Tls => stretches.push(Vec::new()),
            ScriptLine::Expected(_) => {}
        }
    }
    stretches
}

fn expected(script: &str) -> Vec<String> {
    let expected = lines(script).into_iter().filter_map(|line| match line {
        ScriptLine::Expected(line) => Some(line),
        ScriptLine::Client(_) | ScriptLine::Tls => None,
    });
    expected.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn each_conversation_goes_as_written(
        cuts in prop::collection::vec(any::<Index>(), 0..30),
        by_bytes in prop::bool::weighted(0.1),
    ) {
        let all = [
            conversations::CONVERSATIONS,
            extensions::CONVERSATIONS,
            chunking::CONVERSATIONS,
            lmtp::CONVERSATIONS,
        ];
        for conversation in all.into_iter().flatten() {
            let mut house = House::new(conversation.setting.config());
            for (number, came) in stretches(conversation.script).iter().enumerate() {
                if number > 0 {
                    house.tls_starts();
                }
                let mut cuts: Vec<usize> = if by_bytes {
                    (0..came.len()).collect()
                } else {
                    cuts.iter().map(|cut| cut.index(came.len() + 1)).collect()
                };
                cuts.sort_unstable();
                let mut start = 0;
                for cut in cuts.into_iter().chain([came.len()]) {
                    house.hears(&came[start..cut]);
                    start = cut;
                }
            }
            prop_assert_eq!(house.said(), expected(conversation.script), "{}", conversation.name);
        }
    }
}
