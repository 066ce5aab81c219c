//! The image that `image` made.

use serde::Serialize;

use crate::image::Built;
use crate::screen::View;

/// An image that is in its place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BuiltImage {
    /// Where, as it was typed.
    pub target: String,
    /// Its manifest, its index, or the tar file.
    #[serde(flatten)]
    pub blob: Built,
    /// Its layers, the lowest first; none of what has no layers.
    pub layers: Vec<Built>,
    /// What is installed in it: `name-[epoch:]version-release.arch`.
    pub packages: Vec<String>,
}

impl View for BuiltImage {
    const FIELD: &'static str = "Image";

    fn text(&self, _: usize) -> String {
        format!("{}\n", self.blob.digest)
    }

    fn json(&self) -> impl Serialize {
        self
    }
}
