//! Which hosts are asked, and which machines they may be.

use std::collections::BTreeSet;
use std::net::IpAddr;

use buildhub_http::Url;
use buildhub_http::guard::is_public;

use super::Fault;
use crate::source::Source;

/// The hosts of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts {
    /// Those that may be asked, redirections included.
    pub asked: BTreeSet<String>,
    /// Those of them that the operator named, and whose machines may be at private addresses.
    pub trusted: BTreeSet<String>,
}

impl Hosts {
    /// The hosts of a source.
    pub fn of(source: &Source) -> Self {
        Self { asked: source.hosts.clone(), trusted: source.trusted.clone() }
    }

    /// Whether an address may be asked that a request for `first` leads to.
    pub(super) fn check(&self, first: &Url, url: &Url) -> Result<(), Fault> {
        let host = url.host_str().unwrap_or_default();
        let is_web = match url.scheme() {
            "https" => true,
            // What was asked for over TLS is not taken from anyone without it.
            "http" => first.scheme() == "http",
            _ => false,
        };
        let is_port = url.port().is_none() || url.port() == first.port();
        if !self.asked.contains(host) || !is_web || !is_port {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            let reason = format!("it leads to {}://{host}{port}, which is no address of this source", url.scheme());
            return Err(Fault::Refused { reason });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::refused("it leads to an address with a login"));
        }
        Ok(())
    }

    /// Whether a host may be that machine. A name that the operator gave may be one of a private network. Whatever gives
    /// answers to its own link alone, credentials of a cloud's machine among them, must be named by its address.
    pub(super) fn admits(&self, host: &str, address: IpAddr) -> bool {
        let is_named = self.trusted.contains(host);
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse() == Ok(address);
        is_public(address) || (is_named && (is_address || is_of_a_network(address)))
    }
}

/// Whether an address is one of a private network, or of this machine.
fn is_of_a_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => {
            // Where Amazon's machines ask for their credentials (EC2 User Guide, "Access instance metadata").
            let is_metadata = address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];
            (address.is_unique_local() && !is_metadata) || address.is_loopback()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let set = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        Hosts {
            asked: set(&["hg.example.org", "cdn.example.org", "10.0.0.5", "hg.corp"]),
            trusted: set(&["10.0.0.5", "hg.corp"]),
        }
    }

    #[test]
    fn only_hosts_of_the_source_are_asked_and_never_less_safely_than_at_first() {
        let check = |first: &str, next: &str| hosts().check(&first.parse().unwrap(), &next.parse().unwrap());
        check("https://hg.example.org/a", "https://cdn.example.org/b").unwrap();
        check("http://hg.example.org/a", "https://hg.example.org/a").unwrap();
        check("http://10.0.0.5:8000/a", "http://10.0.0.5:8000/b").unwrap();
        for next in [
            "https://evil.example.com/",
            "https://hg.example.org.evil.com/",
            "http://hg.example.org/a",
            "https://hg.example.org:8443/",
            "ftp://hg.example.org/a",
            "file:///etc/passwd",
            "https://me:hush@hg.example.org/",
            "https://169.254.169.254/latest/meta-data/",
        ] {
            let refused = check("https://hg.example.org/a", next).unwrap_err();
            assert!(matches!(&refused, Fault::Refused { reason } if !reason.contains("hush")), "{next}: {refused}");
        }
    }

    #[test]
    fn private_machines_are_only_reached_by_names_the_operator_gave() {
        let admits = |host: &str, address: &str| hosts().admits(host, address.parse().unwrap());
        assert!(admits("hg.example.org", "63.245.208.1"));
        assert!(!admits("hg.example.org", "10.1.2.3"));
        assert!(!admits("hg.example.org", "127.0.0.1"));
        assert!(admits("hg.corp", "10.1.2.3"));
        assert!(admits("hg.corp", "fd12::1"));
        assert!(admits("10.0.0.5", "10.0.0.5"));
        for metadata in ["169.254.169.254", "fd00:ec2::254", "fe80::1", "0.0.0.0", "224.0.0.1"] {
            assert!(!admits("hg.corp", metadata), "{metadata}");
        }
        let linked = Hosts { trusted: ["169.254.7.7".to_owned(), "[::1]".to_owned()].into(), ..Hosts::default() };
        assert!(linked.admits("169.254.7.7", "169.254.7.7".parse().unwrap()));
        assert!(linked.admits("[::1]", "::1".parse().unwrap()));
    }
}
