//! The configuration file of a Samba domain controller that touches nothing outside its own folder.

use std::net::Ipv4Addr;
use std::path::Path;

use super::options::Options;

/// `ldap` serves; `rpc` and `cldap` let a second domain controller join and pull.
const SERVICES: &str = "ldap, rpc, cldap";

pub(crate) const FILE: &str = "smb.conf";
pub(crate) const CERTIFICATE: &str = "tls-certificate.pem";
pub(crate) const KEY: &str = "tls-key.pem";
pub(crate) const AUTHORITY: &str = "tls-ca.pem";

/// Folders the file names, to be created beside those the provisioning made.
pub(crate) const FOLDERS: [&str; 3] = ["lock", "run", "log"];

pub(crate) fn smb_conf(dir: &Path, options: &Options, ip: Ipv4Addr) -> String {
    let dir = dir.display();
    format!(
        "[global]
netbios name = {host}
workgroup = {netbios}
realm = {realm}
server role = active directory domain controller
server services = {SERVICES}
interfaces = {ip}/8
bind interfaces only = yes
private dir = {dir}/private
state directory = {dir}/state
binddns dir = {dir}/bind-dns
cache directory = {dir}/lock
lock directory = {dir}/lock
usershare path = {dir}/lock/usershares
pid directory = {dir}/run
ncalrpc dir = {dir}/run/ncalrpc
winbindd socket directory = {dir}/run/winbindd
ntp signd socket directory = {dir}/run/ntp_signd
log file = {dir}/log/samba.log
max log size = 0
tls enabled = yes
tls certfile = {dir}/{CERTIFICATE}
tls keyfile = {dir}/{KEY}
tls cafile = {dir}/{AUTHORITY}
old password allowed period = {old}
dns update command = /bin/true
spn update command = /bin/true
# A test's directory need not survive a power failure.
ldb:nosync = true
",
        // Minutes; the default of Windows and of Samba, or none.
        old = if options.takes_old_passwords { 60 } else { 0 },
        host = options.host.to_uppercase(),
        netbios = options.netbios,
        realm = options.dns_domain.to_uppercase(),
    )
}
