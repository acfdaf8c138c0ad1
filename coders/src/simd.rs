//! Levels of vector instructions: what this machine has, and which one to use.
//!
//! Whoever has kernels writes them once for each level and checks that all give the same bits.

use std::sync::OnceLock;

/// A kernel level, from the plainest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Scalar,
    /// AVX2, BMI1, BMI2 and POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What [`Level::Avx2`] has, and AVX-512 F, BW and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON, which every 64-bit ARM processor has.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Level {
    /// Whether this machine has the instructions.
    #[must_use]
    pub fn detected(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.detected()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            // Kernels take vectors apart in little-endian order.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => {
                cfg!(target_endian = "little") && std::arch::is_aarch64_feature_detected!("neon")
            }
        }
    }
}

/// Every level that this machine can run.
#[must_use]
pub fn available() -> Vec<(&'static str, Level)> {
    let mut levels = vec![("scalar", Level::Scalar)];
    #[cfg(target_arch = "x86_64")]
    levels.extend([("avx2", Level::Avx2), ("avx512", Level::Avx512)]);
    #[cfg(target_arch = "aarch64")]
    levels.push(("neon", Level::Neon));
    levels.retain(|(_, level)| level.detected());
    levels
}

/// The level in use: the widest one here, or the one that `LLMZIP_SIMD` names.
///
/// # Errors
/// A sentence that says which levels can be asked for.
pub fn active() -> Result<Level, &'static str> {
    static ACTIVE: OnceLock<Option<Level>> = OnceLock::new();
    ACTIVE
        .get_or_init(|| {
            let levels = available();
            let Some(asked) = std::env::var_os("LLMZIP_SIMD").filter(|name| !name.is_empty())
            else {
                return levels.last().map(|&(_, level)| level);
            };
            let found = levels.iter().find(|(name, _)| asked == *name);
            found.map(|&(_, level)| level)
        })
        .ok_or("LLMZIP_SIMD must be scalar, avx2, avx512 or neon, and one that this CPU has")
}
