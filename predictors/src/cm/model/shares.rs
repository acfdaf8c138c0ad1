//! Which inputs of the mixer a prediction is owed to, for reports.

use super::Model;

impl<const S: usize, const A: usize> Model<S, A> {
    /// Names of what gives the mixer inputs: contexts, match models, pixels, predictors from outside.
    pub fn input_names(&self) -> Vec<String> {
        let contexts = self.plan.contexts.iter().map(|context| context.name());
        let matches = self.plan.match_lengths.iter();
        let matches = matches.map(|length| format!("match of {length}"));
        let pixels = (self.plan.pixel_inputs() > 0).then(|| "pixels".to_owned());
        let external = (!self.external.is_empty()).then(|| "from outside".to_owned());
        contexts
            .chain(matches)
            .chain(pixels)
            .chain(external)
            .collect()
    }

    /// Adds to `shares`, one for each name, the bits that the last bit would have cost more without it, by
    /// the mixer alone: the curves behind it are not counted, the bias has no name.
    pub fn add_shares(&self, bit: bool, shares: &mut [f64]) {
        let mut parts = vec![0.0; shares.len()];
        let mut all = 0.0;
        let sign = if bit { 1.0 } else { -1.0 };
        for (at, part) in self.mixer.contributions().iter().enumerate() {
            all += sign * part;
            if let Some(name) = self.name_of(at) {
                parts[name] += sign * part;
            }
        }
        let with = cost(all);
        for (share, part) in shares.iter_mut().zip(&parts) {
            *share += cost(all - part) - with;
        }
    }

    /// The name of an input of the mixer, if it has one.
    fn name_of(&self, at: usize) -> Option<usize> {
        let (n, matches) = (self.hashes.len(), self.matchers.len());
        let runs = if self.runs.is_some() { n } else { 0 };
        let pixels = self.plan.pixel_inputs();
        let (first_match, first_run) = (n + 1, n + 1 + 2 * matches);
        let (first_pixel, first_external) = (first_run + runs, first_run + runs + pixels);
        match at {
            _ if at < n => Some(at),
            _ if at == n => None,
            _ if at < first_run => Some(n + (at - first_match) / 2),
            _ if at < first_pixel => Some(at - first_run),
            _ if at < first_external => Some(n + matches),
            _ if at < first_external + self.external.len() => {
                Some(n + matches + usize::from(pixels > 0))
            }
            _ => at.checked_sub(self.block).filter(|&at| at < n),
        }
    }
}

/// Bits that a bit costs whose stretched probability is so many nats.
fn cost(stretch: f64) -> f64 {
    (-stretch.clamp(-700.0, 700.0)).exp().ln_1p() / std::f64::consts::LN_2
}
