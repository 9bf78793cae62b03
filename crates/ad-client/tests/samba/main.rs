//! Against a real Samba AD domain controller.

#[cfg(test)]
mod bind;
#[cfg(test)]
mod dc;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod password;
#[cfg(test)]
mod read;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod tls;
