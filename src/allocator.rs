//! Memory that there is none of ends the program in words, with the exit code of what cannot be, not with a signal.

use std::alloc::{GlobalAlloc, Layout};

/// An allocator that says so when it has nothing left.
pub struct InWords<A>(pub A);

// SAFETY: everything is passed on to an allocator, and comes from it.
unsafe impl<A: GlobalAlloc> GlobalAlloc for InWords<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        given(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        given(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        given(unsafe { self.0.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.dealloc(memory, layout) }
    }
}

fn given(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        end(size);
    }
    memory
}

/// Says how much was asked for, and ends the program. Nothing here may ask for memory.
#[cold]
fn end(size: usize) -> ! {
    let (mut text, mut length) = ([0u8; 256], 0);
    let mut digits = [0u8; 20];
    for part in [
        "error: there is no memory left: ".as_bytes(),
        decimal(size, &mut digits),
        b" bytes more were asked for. What a run has saved is whole. Give it more memory (ulimit -v, the limits of a \
          container), or ask for less: worlds.world_count, ppo.core_width, ppo.horizon_steps\n",
    ] {
        let end = (length + part.len()).min(text.len());
        text[length..end].copy_from_slice(&part[..end - length]);
        length = end;
    }
    // SAFETY: the bytes are there, and the process ends without running anything of it.
    unsafe {
        libc::write(2, text.as_ptr().cast(), length);
        libc::_exit(2)
    }
}

fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || first == 0 {
            return &digits[first..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_without_memory() {
        for (number, text) in [(0, "0"), (7, "7"), (1024, "1024"), (usize::MAX, "18446744073709551615")] {
            assert_eq!(decimal(number, &mut [0; 20]), text.as_bytes());
        }
    }
}
