//! A network with its optimizer: one gradient step, and what is kept of both between runs.

use crate::PolicyError;
use crate::adam::adam;
use crate::group::{Group, Lane};
use crate::network::{Network, host};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Tensor, TensorData};

/// A network with its Adam (Kingma, Ba 2015).
#[derive(Clone)]
pub(crate) struct Trainee {
    pub network: Network,
    optimizer: ModuleOptimizer,
}

impl Trainee {
    pub fn new(network: Network) -> Self {
        Self { network, optimizer: adam() }
    }

    /// One step down the gradient of `loss`, averaged over all members of the group, unless that is not finite.
    pub fn descend(mut self, loss: &Tensor<1>, step: Step<'_>) -> Result<(Self, Descent), NotFinite> {
        let mut loss_value = loss.clone().inner().into_scalar::<f32>();
        let mut gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        if step.group.size() > 1 {
            loss_value = self.average(&mut gradients, loss_value, step);
        }
        let mut squares = Squares { gradients: &gradients, sums: Vec::new() };
        self.network.visit(&mut squares);
        let norm = host(Tensor::cat(squares.sums, 0)).iter().map(|&x| f64::from(x)).sum::<f64>().sqrt() as f32;
        if !(norm.is_finite() && loss_value.is_finite()) {
            return Err(NotFinite);
        }
        if norm > step.max_norm {
            self.network.visit(&mut Scaling { gradients: &mut gradients, factor: step.max_norm / norm });
        }
        self.network = self.optimizer.step(f64::from(step.rate), self.network, gradients);
        Ok((self, Descent { loss: loss_value, gradient_norm: norm }))
    }

    /// Averages gradients over the members of the group. The loss travels along, so that all members know when one
    /// of them has none.
    fn average(&self, gradients: &mut GradientsParams, loss: f32, step: Step<'_>) -> f32 {
        let mut flat = Flat { gradients, values: vec![loss] };
        self.network.visit(&mut flat);
        let mut values = flat.values;
        step.group.sum(step.lane, &mut values);
        let share = 1.0 / step.group.size() as f32;
        values.iter_mut().for_each(|value| *value *= share);
        self.network.visit(&mut Unflat { gradients, values: &values[1..] });
        values[0]
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
        let optimizer = adam()
            .from_bytes(Bytes::from_bytes_vec(optimizer))
            .map_err(|error| tensors("loading an optimizer", error))?;
        Ok(Self { network, optimizer })
    }
}

/// How to descend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// Learning rate.
    pub rate: f32,
    /// Longer gradients are scaled down to this.
    pub max_norm: f32,
    /// Who learns together.
    pub group: &'a dyn Group,
    /// In which conversation.
    pub lane: Lane,
}

/// How a step went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Descent {
    pub loss: f32,
    /// Before scaling down.
    pub gradient_norm: f32,
}

/// A loss or gradient is not finite.
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

/// Collects every parameter's gradient, one after the other.
struct Flat<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f32>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.values.extend(host(gradient));
        }
    }
}

/// Puts gradients back.
struct Unflat<'a> {
    gradients: &'a mut GradientsParams,
    values: &'a [f32],
}

impl ModuleVisitor for Unflat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let (own, rest) = self.values.split_at(gradient.shape().num_elements());
            self.values = rest;
            let data = TensorData::new(own.to_vec(), gradient.shape());
            self.gradients.register(param.id, Tensor::<D>::from_data(data, &gradient.device()));
        }
    }
}
