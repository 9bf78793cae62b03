//! The same assertions on the simulated directory and on Samba; and where the two differ.

mod changing;
mod differing;
mod passwords;
mod searching;
mod tracking;
