//! One loopback address per domain controller: Samba wants port 389 and 636, so each needs an address of its own.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use anyhow::{Result, bail};

/// Whoever listens on this port of an address has it. The kernel frees it however the holder dies.
const CLAIM_PORT: u16 = 47_001;
/// What must be free on an address: endpoint mapper, LDAP, LDAPS.
const SERVED_PORTS: [u16; 3] = [135, 389, 636];
const NETWORK: [u8; 2] = [127, 77];

/// An address that nothing else on this machine uses while this value lives.
#[derive(Debug)]
pub(crate) struct Address {
    ip: Ipv4Addr,
    _claim: TcpListener,
}

impl Address {
    pub(crate) fn claim() -> Result<Self> {
        let [a, b] = NETWORK;
        for number in 1..=u16::MAX {
            let [c, d] = number.to_be_bytes();
            if d == 0 || d == 255 {
                continue;
            }
            let ip = Ipv4Addr::new(a, b, c, d);
            let Ok(claim) = TcpListener::bind(SocketAddrV4::new(ip, CLAIM_PORT)) else {
                continue;
            };
            // A server whose holder was just killed may still be going.
            let free = SERVED_PORTS
                .iter()
                .all(|port| TcpListener::bind(SocketAddrV4::new(ip, *port)).is_ok());
            if free {
                return Ok(Self { ip, _claim: claim });
            }
        }
        bail!(
            "no loopback address in 127.77.0.0/16 has ports 389 and 636 free: domain controllers of tests need root and \
             a network namespace where nothing listens on all addresses"
        );
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}
