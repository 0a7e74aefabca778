//! Names of things, as distinct types so that a node is never passed where a server is meant.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Wraps a name that has been validated or sanitised by the caller.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl From<String> for $type {
            /// From a recording or a state file: outside data, therefore sanitised.
            fn from(name: String) -> Self {
                Self::from(&super::text::Clean::line(&name))
            }
        }

        impl From<&super::text::Clean> for $type {
            fn from(name: &super::text::Clean) -> Self {
                Self::new(name.as_str())
            }
        }
    };
}

name!(
    /// A node of the inventory: `lb01`.
    NodeName
);
name!(
    /// The cluster: `oslo-prod`.
    ClusterName
);
name!(
    /// A guest of a hypervisor, by its name in libvirt: `web04`.
    GuestName
);
name!(
    /// A HAProxy proxy (frontend or backend): `web_cluster`. Came from a node, therefore sanitised.
    ProxyName
);
name!(
    /// A HAProxy server within a backend: `web01`. Came from a node, therefore sanitised.
    ServerName
);
