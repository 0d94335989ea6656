//! Which machines a client may connect to.
//!
//! A name is resolved, its addresses are judged, and the connection goes to one of those that were judged: there is no
//! second look-up whose answer could be another.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Says of a host, as an address has it, and of a machine's address, whether a connection may be made.
type Admits = dyn Fn(&str, IpAddr) -> bool + Send + Sync;

/// Which machines a client may connect to.
#[derive(Clone)]
pub struct Guard(Arc<Admits>);

/// A machine that a client may not connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} is the machine {address}, which may not be connected to")]
pub struct Forbidden {
    /// The host, as the address has it.
    pub host: String,
    /// The machine's address.
    pub address: IpAddr,
}

impl Guard {
    /// A guard that asks `admits` of each host and each address of it.
    pub fn new(admits: impl Fn(&str, IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(admits))
    }

    /// Judges a host that is written as an address: such a one is resolved by nobody.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        self.admit(url.host_str().unwrap_or_default(), address)
    }

    fn admit(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        if (self.0)(host, address) { Ok(()) } else { Err(Forbidden { host: host.to_owned(), address }) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            // One that may not be connected to spoils the rest: a name with such an address is not to be trusted.
            found.iter().try_for_each(|address| guard.admit(host, address.ip()))?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard(..)")
    }
}

/// Whether an address is one of the public Internet: none of this machine, of a private network, of this link (where
/// clouds keep a machine's credentials), of a group, or set aside (IANA, "IPv4 Special-Purpose Address Registry" and
/// "IPv6 Special-Purpose Address Registry"). One that carries an IPv4 address in it is judged by that.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // This network; shared by a provider's customers; protocol assignments; benchmarks; reserved, and broadcast.
    let is_special =
        matches!(address.octets(), [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..]);
    !(is_special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // Mapped (RFC 4291), translated (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        // Teredo and other protocols; documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] => false,
        // The rest of what is given to networks.
        [0x2000..=0x3ffe, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_public_internet_is_told_from_what_is() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for address in
            ["63.245.208.1", "1.1.1.1", "100.128.0.1", "2620:101:8016:74::1", "::ffff:1.1.1.1", "2002:101:101::"]
        {
            assert!(public(address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "192.0.0.8",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }
}
