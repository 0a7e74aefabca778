//! Figures over time, cut to as many columns as a chart has.

use super::Seen;
use crate::{
    history::recent::{HostFigure, SeriesKey, TrafficFigure},
    model::ids::{NodeName, ProxyName, ServerName},
};

/// Charts in a row show this many samples: two minutes at one a second.
pub(crate) const ROW_SAMPLES: usize = 120;
/// Charts on a screen of their own show everything that is kept.
pub(crate) const LONG_SAMPLES: usize = crate::history::series::SAMPLES_MAX;

/// A host's figure in `columns` columns, oldest first; `None` is a gap.
pub(crate) fn host(
    seen: Seen<'_>,
    node: &NodeName,
    figure: HostFigure,
    columns: usize,
    samples: usize,
) -> Vec<Option<f32>> {
    let key = SeriesKey::Host { node: node.clone(), figure };
    seen.history.series(&key).map_or_else(|| vec![None; columns], |series| series.columns(columns, samples))
}

/// A server's figure, added up over load balancers.
pub(crate) fn server<'a>(
    seen: Seen<'_>,
    balancers: impl Iterator<Item = &'a NodeName>,
    backend: &ProxyName,
    server: &ServerName,
    figure: TrafficFigure,
    columns: usize,
) -> Vec<Option<f32>> {
    let mut sums: Vec<Option<f32>> = vec![None; columns];
    for node in balancers {
        let key = SeriesKey::Server { node: node.clone(), backend: backend.clone(), server: server.clone(), figure };
        let Some(series) = seen.history.series(&key) else { continue };
        for (sum, value) in sums.iter_mut().zip(series.columns(columns, ROW_SAMPLES)) {
            if let Some(value) = value {
                *sum = Some(sum.unwrap_or(0.0) + value);
            }
        }
    }
    sums
}
