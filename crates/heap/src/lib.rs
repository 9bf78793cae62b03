#![doc = include_str!("../README.md")]

/// From this size on, a buffer is its own mapping. Smaller than the pages a directory answers with, larger than nearly all
/// else: a mapping costs two system calls.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 64 * 1024;

/// Heaps that threads share. By default there are eight a processor, and each keeps what its threads were done with.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 2;

/// Makes the settings, for the process. Call it before threads start. Elsewhere than on glibc it does nothing.
pub fn give_back_what_is_free() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the C library's function has no safe wrapper")]
        // SAFETY: integers, by value; glibc takes its own lock. A refused value changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        }
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
#[expect(
    clippy::unwrap_used,
    reason = "code of tests: a failure here is a failed test"
)]
mod tests {
    /// Pages this process has in memory.
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_lies_before_a_block_that_lives_on_goes_back() {
        super::give_back_what_is_free();
        let before = resident();

        // 100 MB in buffers that glibc would keep in its heap, and behind them a small block that pins it.
        let buffers: Vec<Vec<u8>> = (0..1_000).map(|_| vec![1; 100 * 1024]).collect();
        let pin: Vec<Box<[u8; 64]>> = (0..1_000).map(|_| Box::new([1; 64])).collect();
        let full = resident();
        drop(buffers);
        let after = resident();

        assert!(full > before + 20_000, "{before} {full}");
        assert!(after < before + 2_000, "{before} {full} {after}");
        drop(pin);
    }
}
