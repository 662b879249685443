//! The functions that `make fuzz` fuzzes, over the same bytes each time: hostile lines, and what changes make of them.

#[path = "../../fuzz/targets.rs"]
mod shared;

use crate::many_days::ManyDays;
use crate::requests::Requests;
use crate::support::access_log::Random;

/// Inputs of each target.
const INPUTS: u64 = 1500;

#[test]
fn any_line_of_any_format_is_split_or_refused() {
    for input in corpus(31, INPUTS) {
        shared::format(&input);
    }
}

#[test]
fn any_line_becomes_one_event() {
    for input in corpus(32, INPUTS) {
        shared::json(&input);
    }
}

#[test]
fn any_target_has_one_key() {
    for input in corpus(33, INPUTS * 10) {
        shared::page(&input);
        // A target in particular, not a line.
        let target = [b"/", input.as_slice()].concat();
        shared::page(&target);
    }
}

#[test]
fn any_name_is_text_on_the_page() {
    for input in corpus(34, INPUTS) {
        shared::html(&input);
    }
    for name in ["<script>", "\"><img src=x>", "'", "&lt;", "</td></tr>", "<!--", "]]>", "\u{202e}", "\0"] {
        shared::html(name.as_bytes());
    }
}

/// Lines, targets, requests and noise; two thirds of them changed in some bytes.
fn corpus(seed: u64, count: u64) -> Vec<Vec<u8>> {
    let (mut random, mut lines, mut requests) =
        (Random::new(seed), ManyDays::new(seed, count), Requests::new(seed));
    let mut inputs = Vec::new();
    for number in 0..count {
        let mut input = Vec::new();
        match number % 4 {
            0 => lines.hostile(&mut input),
            1 => {
                lines.plain(&mut input);
            }
            2 => input = requests.connection(),
            _ => input.extend((0..random.below(64)).map(|_| piece(&mut random))),
        }
        input.truncate(4096);
        for _ in 0..(number % 3) * 2 {
            change(&mut random, &mut input);
        }
        inputs.push(input);
    }
    inputs
}

/// A byte that means something to paths, escapes, JSON or HTML, or any.
fn piece(random: &mut Random) -> u8 {
    let known = b"/%2eE.;?#&=+\\x\"'<> -{}[]:,\xc3\xa4\xe2\x80\xae\xff\0";
    let index = usize::try_from(random.below(40)).unwrap_or(0);
    known.get(index).copied().unwrap_or_else(|| u8::try_from(random.below(256)).unwrap_or(0))
}

fn change(random: &mut Random, input: &mut Vec<u8>) {
    let length = u64::try_from(input.len()).unwrap_or(0);
    let at = usize::try_from(random.below(length + 1)).unwrap_or(0);
    match random.below(3) {
        0 => input.insert(at, piece(random)),
        1 if at < input.len() => input[at] = piece(random),
        _ => input.truncate(at.max(1)),
    }
}
