//! A walk through all of a compressed file, and what is to be found out on the way.

use super::Found;
use super::walk::{Place, Walk, Went};
use crate::pipeline::action::{Ask, Boundary, FileError, Form, Rest};
use crate::pipeline::identity::{HEAD_BYTES_MAX, marker_length};

/// Plain bytes are looked through in pieces of this size.
const PIECE_BYTES: usize = 128 * 1024;

/// What was found so far.
#[derive(Debug)]
pub struct Look {
    walk: Walk,
    ask: Ask,
    head: Vec<u8>,
    /// For each position asked for the bytes before it, `None` while it is not reached.
    markers: Vec<Option<Vec<u8>>>,
    newline: Boundary,
    /// The last newline of the members that are complete.
    boundary: Boundary,
    /// The plain bytes before the end of the last complete member.
    tail: Vec<u8>,
    piece: Vec<u8>,
}

impl Look {
    /// Sets out at the start of the file.
    pub fn new(walk: Walk, ask: Ask) -> Self {
        let at_start = |position: &u64| (*position == 0).then(Vec::new);
        let markers = ask.markers.iter().map(at_start).collect();
        let start = Boundary { position: 0, before: Vec::new() };
        Self {
            walk,
            ask,
            head: Vec::new(),
            markers,
            newline: start.clone(),
            boundary: start,
            tail: Vec::new(),
            piece: vec![0; PIECE_BYTES],
        }
    }

    /// How far it is.
    pub fn position(&self) -> u64 {
        self.walk.position()
    }

    /// Behind the last member that is complete. What was found beyond it does not count.
    pub fn end(&self) -> Place {
        self.walk.member_end()
    }

    /// Goes on by one piece.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn step(&mut self) -> Result<Went, FileError> {
        let (from, tail) = (self.walk.position(), self.walk.tail().to_vec());
        let went = self.walk.step(&mut self.piece)?;
        match went {
            Went::Bytes(size) => self.take(from, &tail, size),
            Went::MemberEnd => {
                self.boundary = self.newline.clone();
                self.tail = self.walk.tail().to_vec();
            }
            Went::Stopped(_) => {}
        }
        Ok(went)
    }

    /// What all of it showed, and the plain bytes before its end.
    pub fn found(self, rest: Rest) -> (Found, Vec<u8>) {
        let size = self.end().plain;
        let mut head = self.head;
        head.truncate(usize::try_from(size).unwrap_or(HEAD_BYTES_MAX));
        let asked = self.ask.markers.iter().zip(self.markers);
        let markers = asked.map(|(position, marker)| marker.filter(|_| *position <= size)).collect();
        let boundary = self.ask.boundary.then_some(self.boundary);
        (Found { form: Form::Unpacked { size, rest }, head, markers, boundary }, self.tail)
    }

    /// Looks at the piece, which begins at this position, behind these bytes.
    fn take(&mut self, from: u64, tail: &[u8], size: usize) {
        let piece = &self.piece[..size];
        let room = HEAD_BYTES_MAX - self.head.len();
        self.head.extend_from_slice(&piece[..size.min(room)]);
        let within = |position: u64| usize::try_from(position - from).ok().filter(|at| *at <= size);
        for (position, marker) in self.ask.markers.iter().zip(&mut self.markers) {
            if marker.is_none()
                && *position > from
                && let Some(at) = within(*position)
            {
                *marker = Some(before(*position, tail, &piece[..at]));
            }
        }
        if self.ask.boundary
            && let Some(newline) = memchr::memrchr(b'\n', piece)
        {
            let position = from + newline as u64 + 1;
            self.newline = Boundary { position, before: before(position, tail, &piece[..=newline]) };
        }
    }
}

/// The bytes before a position, which `tail` and then `piece` end at.
fn before(position: u64, tail: &[u8], piece: &[u8]) -> Vec<u8> {
    let length = marker_length(position);
    let from_tail = &tail[tail.len().saturating_sub(length.saturating_sub(piece.len()))..];
    let from_piece = &piece[piece.len().saturating_sub(length)..];
    [from_tail, from_piece].concat()
}
