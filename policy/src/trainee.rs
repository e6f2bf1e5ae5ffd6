//! A network with its optimizer: one gradient step, and what is kept of both between runs.

use crate::PolicyError;
use crate::network::{Network, host};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Tensor};

/// A network with its Adam (Kingma, Ba 2015).
#[derive(Clone)]
pub(crate) struct Trainee {
    pub network: Network,
    optimizer: ModuleOptimizer,
}

impl Trainee {
    pub fn new(network: Network) -> Self {
        Self { network, optimizer: AdamConfig::new().init() }
    }

    /// One step down the gradient of `loss`, unless that is not finite. Returns the gradient's length before
    /// scaling it down to `max_norm`.
    pub fn descend(mut self, loss: &Tensor<1>, rate: f32, max_norm: f32) -> Result<(Self, f32), NotFinite> {
        let mut gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let mut squares = Squares { gradients: &gradients, sums: Vec::new() };
        self.network.visit(&mut squares);
        let norm = host(Tensor::cat(squares.sums, 0)).iter().map(|&x| f64::from(x)).sum::<f64>().sqrt() as f32;
        if !norm.is_finite() {
            return Err(NotFinite);
        }
        if norm > max_norm {
            self.network.visit(&mut Scaling { gradients: &mut gradients, factor: max_norm / norm });
        }
        self.network = self.optimizer.step(f64::from(rate), self.network, gradients);
        Ok((self, norm))
    }

    /// Parameters and optimizer as bytes.
    pub fn save(&self) -> Result<[Vec<u8>; 2], PolicyError> {
        let network =
            self.network.clone().into_record().into_bytes().map_err(|error| tensors("saving a network", error))?;
        let optimizer = self.optimizer.into_bytes().map_err(|error| tensors("saving an optimizer", error))?;
        Ok([network.to_vec(), optimizer.to_vec()])
    }

    /// Continues from saved bytes.
    pub fn load(self, [network, optimizer]: [Vec<u8>; 2]) -> Result<Self, PolicyError> {
        let failed = |error| tensors("loading a network", error);
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(network)).map_err(failed)?;
        let network = self.network.try_load_record(record).map_err(failed)?;
        let optimizer = AdamConfig::new()
            .init()
            .from_bytes(Bytes::from_bytes_vec(optimizer))
            .map_err(|error| tensors("loading an optimizer", error))?;
        Ok(Self { network, optimizer })
    }
}

/// A gradient is not finite.
#[derive(Debug)]
pub(crate) struct NotFinite;

fn tensors(attempted: &'static str, error: RecordError) -> PolicyError {
    PolicyError::Tensors { attempted, reason: error.to_string() }
}

/// Collects the sum of squares of every parameter's gradient.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push(gradient.square().sum());
        }
    }
}

/// Multiplies every parameter's gradient.
struct Scaling<'a> {
    gradients: &'a mut GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Scaling<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
