//! Where networks are computed.

use crate::PolicyError;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where networks are computed: `cpu`, `cuda` or `cuda:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// The graphics processor of this index.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let index = match text {
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|index| index.parse().ok()),
        };
        index.map(Self::Cuda).ok_or_else(|| PolicyError::Device {
            device: text.to_owned(),
            reason: "no such device; it must be cpu, cuda or cuda:N".to_owned(),
        })
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device, or says what is missing.
    pub(crate) fn open(self) -> Result<Device, PolicyError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) => {
                open_cuda(index).map_err(|reason| PolicyError::Device { device: self.to_string(), reason })
            }
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_index: usize) -> Result<Device, String> {
    Err("this build cannot; build with `--features cuda`, or use cpu".to_owned())
}

/// Asks the driver before the tensor library does, which would panic without one; then computes something small,
/// since compiling at run time may fail too.
#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<Device, String> {
    use burn::tensor::Tensor;
    use cudarc::driver::result::{device, init};

    // SAFETY: only loads the libraries and forgets them again.
    let (driver, compiler) =
        unsafe { (cudarc::driver::sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !driver {
        return Err("libcuda is not installed; install NVIDIA's driver, or use cpu".to_owned());
    }
    if !compiler {
        return Err("libnvrtc is not installed; install the CUDA toolkit (version 12 or later), or use cpu".to_owned());
    }
    let failed = |error: cudarc::driver::DriverError| format!("the driver does not answer ({error}); see `nvidia-smi`");
    init().map_err(failed)?;
    let count = usize::try_from(device::get_count().map_err(failed)?).unwrap_or(0);
    if index >= count {
        return Err(format!("this machine has {count} such devices, counted from 0"));
    }
    let two = std::panic::catch_unwind(|| {
        let device = Device::cuda(index);
        let ones = Tensor::<1>::ones([2], &device);
        (device, ones.sum().into_scalar::<f32>())
    });
    match two {
        Ok((device, sum)) if (sum - 2.0).abs() < 1e-6 => Ok(device),
        Ok((_, sum)) => Err(format!("1 + 1 gave {sum}")),
        Err(_) => Err("it failed to compile and run a first kernel (see above); NVRTC needs the CUDA headers under \
            $CUDA_PATH/include or /usr/local/cuda/include"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_users_name_them() {
        for (text, device) in
            [("cpu", DeviceChoice::Cpu), ("cuda", DeviceChoice::Cuda(0)), ("cuda:3", DeviceChoice::Cuda(3))]
        {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), device);
            assert_eq!(device.to_string().parse::<DeviceChoice>().unwrap(), device);
        }
        for wrong in ["gpu", "cuda:", "cuda:x", ""] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let message = DeviceChoice::Cuda(0).open().unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
