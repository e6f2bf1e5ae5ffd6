//! What processes say to one another, in rounds that MPI can count: its counts and places are 32-bit, for all of them together.

use std::ops::Range;

/// How much is said in one round by all processes together, bytes: what hears it needs as much room besides.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// How so many bytes of each process are said.
#[derive(Debug)]
pub(super) struct Rounds<'l> {
    /// Of every process, by rank.
    lengths: &'l [u64],
    /// What one process says in a round.
    block: u64,
}

impl<'l> Rounds<'l> {
    /// `most_bytes`: of all processes in a round; at least one each.
    pub fn new(lengths: &'l [u64], most_bytes: usize) -> Self {
        let most_bytes = most_bytes.min(i32::MAX as usize);
        Self { lengths, block: (most_bytes / lengths.len().max(1)).max(1) as u64 }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.lengths.iter().max().map_or(0, |longest| longest.div_ceil(self.block))
    }

    /// Which of its bytes a process says in a round.
    pub fn part(&self, rank: usize, round: u64) -> Range<u64> {
        let length = self.lengths[rank];
        let begin = round.saturating_mul(self.block).min(length);
        begin..begin.saturating_add(self.block).min(length)
    }

    /// How many bytes each process says in a round, and where they lie among those of all.
    pub fn layout(&self, round: u64) -> (Vec<i32>, Vec<i32>) {
        let counts: Vec<i32> = (0..self.lengths.len())
            .map(|rank| {
                let Range { start, end } = self.part(rank, round);
                i32::try_from(end - start).expect("a block is as small as MPI asks for")
            })
            .collect();
        let starts = counts.iter().scan(0_i32, |next, count| {
            let start = *next;
            *next = next.checked_add(*count).expect("a round is as small as MPI asks for");
            Some(start)
        });
        let starts = starts.collect();
        (counts, starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What everybody hears of these, said in rounds.
    fn heard(said: &[Vec<u8>], most_bytes: usize) -> (Vec<Vec<u8>>, u64) {
        let lengths: Vec<u64> = said.iter().map(|bytes| bytes.len() as u64).collect();
        let rounds = Rounds::new(&lengths, most_bytes);
        let mut heard = vec![Vec::new(); said.len()];
        for round in 0..rounds.count() {
            let (counts, starts) = rounds.layout(round);
            let mut all = vec![0; counts.iter().sum::<i32>() as usize];
            assert!(!all.is_empty() && all.len() <= most_bytes.max(said.len()), "{} bytes in a round", all.len());
            for (rank, bytes) in said.iter().enumerate() {
                let part = rounds.part(rank, round);
                let own = &bytes[part.start as usize..part.end as usize];
                all[starts[rank] as usize..][..counts[rank] as usize].copy_from_slice(own);
            }
            for ((heard, start), count) in heard.iter_mut().zip(&starts).zip(&counts) {
                heard.extend_from_slice(&all[*start as usize..][..*count as usize]);
            }
        }
        (heard, rounds.count())
    }

    #[test]
    fn what_is_said_is_heard_whatever_the_lengths_and_the_size_of_a_round() {
        let long = |length: usize| (0..length).map(|at| (7 * at + length) as u8).collect::<Vec<u8>>();
        for lengths in [&[0, 0][..], &[1], &[5, 0, 3], &[1000, 1, 999, 64], &[64, 64, 64], &[0, 1]] {
            let said: Vec<Vec<u8>> = lengths.iter().map(|length| long(*length)).collect();
            for most_bytes in [1, 2, 3, 64, 100, 192, 1 << 20] {
                let (heard, count) = heard(&said, most_bytes);
                assert_eq!(heard, said, "in rounds of {most_bytes}");
                let block = (most_bytes / said.len()).max(1);
                assert_eq!(count, lengths.iter().max().unwrap_or(&0).div_ceil(block) as u64);
            }
        }
    }

    /// Three processes with the worlds of a large run: none of it is allocated here.
    #[test]
    fn more_than_thirty_two_bits_can_count_is_said_in_rounds_that_they_can() {
        let gib = 1_u64 << 30;
        let lengths = [3 * gib + 17, gib, 5 * gib];
        let rounds = Rounds::new(&lengths, MOST_BYTES);
        let mut told = [0; 3];
        for round in 0..rounds.count() {
            let (counts, starts) = rounds.layout(round);
            assert!(counts.iter().map(|count| i64::from(*count)).sum::<i64>() <= MOST_BYTES as i64);
            assert!(starts.is_sorted() && starts[0] == 0 && counts.iter().all(|count| *count >= 0));
            for (rank, told) in told.iter_mut().enumerate() {
                let part = rounds.part(rank, round);
                assert!(part.start == *told || part.is_empty(), "nothing is left out or said twice");
                *told += part.end - part.start;
            }
        }
        assert_eq!((told, rounds.count()), (lengths, (5 * gib).div_ceil(MOST_BYTES as u64 / 3)));
    }
}
