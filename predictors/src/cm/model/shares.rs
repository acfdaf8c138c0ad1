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

    /// Adds to `shares`, one for each name, how far each moved the prediction of the last bit towards
    /// `bit`, in nats of the mixer's stretch domain. The bias and the curves behind the mixer are not counted.
    pub fn add_shares(&self, bit: bool, shares: &mut [f64]) {
        let contributions = self.mixer.contributions();
        let sign = if bit { 1.0 } else { -1.0 };
        let n = self.hashes.len();
        let matches = self.matchers.len();
        let runs = if self.runs.is_some() { n } else { 0 };
        let pixels = self.plan.pixel_inputs();
        let after_pixels = n + matches + usize::from(pixels > 0);
        for (at, part) in contributions.iter().enumerate() {
            let (first_match, first_run) = (n + 1, n + 1 + 2 * matches);
            let (first_pixel, first_external) = (first_run + runs, first_run + runs + pixels);
            let name = match at {
                _ if at < n => at,
                _ if at == n => continue,
                _ if at < first_run => n + (at - first_match) / 2,
                _ if at < first_pixel => at - first_run,
                _ if at < first_external => n + matches,
                _ if at < first_external + self.external.len() => after_pixels,
                _ if at >= self.block && at - self.block < n => at - self.block,
                _ => continue,
            };
            shares[name] += sign * part;
        }
    }
}
