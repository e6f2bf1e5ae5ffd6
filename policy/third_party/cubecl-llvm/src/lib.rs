//! Stands in for `cubecl-llvm`: the names `cubecl-cuda` refers to, with nothing behind them. See `README.md`.

use cubecl_core::ir::DeviceProperties;
use cubecl_core::ir::nvidia::SmArch;
use cubecl_environment::backtrace::BackTrace;
use cubecl_runtime::compiler::{CompilationError, Compiler};
use cubecl_runtime::kernel::{BufferIOAttr, KernelDefinition};
use std::fmt;

/// Versions of the language LLVM would write.
pub mod nvptx {
    /// Versions of PTX.
    pub mod ptx_version {
        use std::fmt;

        /// There is none, since nothing is written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PtxVersion {}

        impl PtxVersion {
            /// Always none.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {}
            }
        }
    }
}

/// What LLVM could do with a device.
pub mod shared {
    /// Narrowing the features of a device.
    pub mod lowered_features {
        use super::super::DeviceProperties;

        /// Kinds of devices.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// NVIDIA's.
            Nvptx,
        }

        /// Only called when LLVM compiles, which it does not here.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}

/// What is compiled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA's devices.
    #[default]
    Nvptx,
}

/// A compiler that refuses.
#[derive(Clone, Debug, Default)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// What the compiler would be told.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// Architecture of AMD devices.
    pub arch: Option<()>,
    /// Architecture of NVIDIA devices.
    pub sm_arch: Option<SmArch>,
    /// Version of PTX.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether scalars are passed in the parameter block.
    pub grid_constants: bool,
    /// So that a caller's `..Default::default()` has something left to say.
    pub unused: (),
}

/// What would have been compiled.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// Assembly.
    pub ptx: Vec<core::ffi::c_char>,
    /// Name of the entry point.
    pub entrypoint: String,
    /// Intermediate representation.
    pub ir: String,
    /// Shared memory per launch, bytes.
    pub shared_memory_size: usize,
    /// What becomes of each buffer.
    pub io: Vec<BufferIOAttr>,
}

/// Results of compiling.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum PlironArtifact {
    /// For NVIDIA devices.
    NvptxCode(NvptxModule),
}

impl fmt::Display for PlironArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NvptxCode(module) = self;
        f.write_str(&module.ir)
    }
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(&mut self, _: KernelDefinition, _: &PlironOptions) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: "this build has no LLVM; kernels are compiled by NVRTC (cubecl-cuda's feature `cpp`)".to_owned(),
            backtrace: BackTrace::capture(),
        })
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}
