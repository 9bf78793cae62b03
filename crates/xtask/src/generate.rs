//! `cargo xtask gen`: the API crate's generated code, from the protobuf files, without protoc.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use protox::prost_reflect::{DescriptorPool, ExtensionDescriptor, Kind, MessageDescriptor, Value};

use crate::{buf, run};

const PROTO: &str = "proto";
const GENERATED: &str = "crates/api/src/gen";
const DESCRIPTOR: &str = "descriptor.bin";
/// Messages that the API crate has its own types for.
const BY_HAND: [(&str, &str); 1] = [(
    ".hes.config.v1.ListEmployeesResponse",
    "crate::stored::ListEmployeesResponse",
)];
/// `google.api.FieldBehavior.INPUT_ONLY`.
const INPUT_ONLY: i32 = 4;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Also make today's protobuf files the ones that `cargo xtask check` compares with: done when a version is
    /// released, or when a breaking change is meant.
    #[arg(long)]
    accept_breaking: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let root = run::root()?;
    let into = root.join(GENERATED);
    let made = generate()?;
    replace(made.path(), &into)?;
    if arguments.accept_breaking {
        buf::accept()?;
    }
    Ok(true)
}

/// Whether the committed code is what the protobuf files say.
pub(crate) fn is_up_to_date() -> Result<bool> {
    let root = run::root()?;
    let made = generate()?;
    let differing = differing(made.path(), &root.join(GENERATED))?;
    for name in &differing {
        eprintln!("error: {GENERATED}/{name} isn't what proto/ says: run `cargo xtask gen`");
    }
    Ok(differing.is_empty())
}

fn generate() -> Result<tempfile::TempDir> {
    let proto = run::root()?.join(PROTO);
    let files = proto_files(&proto.join("hes"))?;
    if files.is_empty() {
        bail!("no .proto file in {}", proto.display());
    }
    let out = tempfile::tempdir()?;

    let mut compiler = protox::Compiler::new([&proto])?;
    compiler.include_imports(true).open_files(&files)?;
    // Encoded by the compiler itself: custom options survive.
    fs::write(
        out.path().join(DESCRIPTOR),
        compiler.encode_file_descriptor_set(),
    )?;

    // Again with the comments, which become documentation.
    compiler.include_source_info(true);
    let secret = secret_messages(&compiler.descriptor_pool())?;
    eprintln!("no derived Debug for {}", secret.join(", "));
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    for (message, by_hand) in BY_HAND {
        config.extern_path(message, by_hand);
    }
    tonic_prost_build::configure()
        .out_dir(out.path())
        .emit_rerun_if_changed(false)
        .codec_path("crate::codec::Codec")
        .skip_debug(secret.iter().map(|name| format!(".{name}")))
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(out)
}

/// The messages whose `Debug` must not be derived: those that carry a secret of their own, given but never shown, or shown
/// once.
fn secret_messages(pool: &DescriptorPool) -> Result<Vec<String>> {
    let behavior = pool
        .get_extension_by_name("google.api.field_behavior")
        .context("proto/google/api/field_behavior.proto isn't imported by any file")?;
    let mut secret: Vec<_> = pool
        .all_messages()
        .filter(|message| carries_secret(message, &behavior))
        .map(|message| message.full_name().to_owned())
        .collect();
    secret.sort();
    Ok(secret)
}

fn carries_secret(message: &MessageDescriptor, behavior: &ExtensionDescriptor) -> bool {
    message.fields().any(|field| {
        let is_text_or_bytes = matches!(field.kind(), Kind::String | Kind::Bytes);
        let options = field.options();
        let behaviors = options.get_extension(behavior);
        let is_input_only = behaviors
            .as_list()
            .is_some_and(|list| list.contains(&Value::EnumNumber(INPUT_ONLY)));
        let is_redacted = options
            .get_field_by_name("debug_redact")
            .is_some_and(|value| value.as_bool() == Some(true));
        is_text_or_bytes && (is_input_only || is_redacted)
    })
}

fn proto_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(dir).with_context(|| format!("failed to read {}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(proto_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    // The same output whatever order the file system lists them in.
    files.sort();
    Ok(files)
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(Vec::new());
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// The names of files that are in only one of the folders, or not the same in both.
fn differing(one: &Path, other: &Path) -> Result<Vec<String>> {
    let mut all = names(one)?;
    all.extend(names(other)?);
    all.sort();
    all.dedup();
    all.retain(|name| fs::read(one.join(name)).ok() != fs::read(other.join(name)).ok());
    Ok(all)
}

/// Writes only what differs: an untouched file isn't compiled again.
fn replace(made: &Path, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    for name in differing(made, into)? {
        let (from, to) = (made.join(&name), into.join(&name));
        if from.exists() {
            fs::copy(&from, &to).with_context(|| format!("failed to write {}", to.display()))?;
            eprintln!("wrote {GENERATED}/{name}");
        } else {
            fs::remove_file(&to)?;
            eprintln!("removed {GENERATED}/{name}");
        }
    }
    Ok(())
}
