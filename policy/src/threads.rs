//! The threads of learning. How many there are does not change any result.

use crate::PolicyError;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Pools: all threads for what runs alone, and halves for actor and critic, which learn at the same time.
pub(crate) struct Threads {
    pub all: ThreadPool,
    halves: Option<[ThreadPool; 2]>,
}

impl Threads {
    /// `count` threads; 0 means as many as the pool this is called from has.
    pub fn new(count: usize) -> Result<Self, PolicyError> {
        let count = if count == 0 { rayon::current_num_threads() } else { count };
        let pool = |threads: usize| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|index| format!("learner-{index}"))
                .build()
                .map_err(|error| PolicyError::Tensors { attempted: "starting threads", reason: error.to_string() })
        };
        let halves = if count > 1 { Some([pool(count / 2)?, pool(count - count / 2)?]) } else { None };
        Ok(Self { all: pool(count)?, halves })
    }

    /// Runs both, at the same time where there is more than one thread.
    pub fn both<A: Send, B: Send>(
        &self,
        first: impl FnOnce() -> A + Send,
        second: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let Some([left, right]) = &self.halves else {
            return self.all.install(|| (first(), second()));
        };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| right.install(second));
            let first = left.install(first);
            match waiting.join() {
                Ok(second) => (first, second),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
