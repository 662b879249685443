//! A real ext4, because it gives a freed inode number to the next file, which tmpfs never does, and because its disk can fail.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Advice, fadvise};

use crate::support::nginx::program;
use crate::support::scratch::Scratch;

/// Small logs and a journal fit.
const IMAGE_BYTES: u64 = 16 * 1024 * 1024;
/// EXT4_SUPER_MAGIC of statfs(2).
const EXT4_MAGIC: u64 = 0xef53;

/// Whether an ext4 keeps a journal.
#[derive(Clone, Copy, Debug)]
pub enum Journal {
    /// A freed inode number goes to the very next file, as on the disks of most machines.
    Kept,
    /// Nothing is written to the disk but what the test writes, as a disk that failed must not grow blocks of zeros. A freed
    /// inode number rests for a while from the next second on (`recently_deleted` in the kernel's fs/ext4/ialloc.c).
    Absent,
}

/// An ext4 image that is mounted as long as this lives, or else a directory on the ext4 of the machine.
#[derive(Debug)]
pub struct Ext4 {
    path: PathBuf,
    /// The disk, where one could be mounted.
    image: Option<PathBuf>,
}

impl Ext4 {
    /// At this place of the scratch directory.
    ///
    /// # Panics
    /// With what is missing, where there is neither a loop device that may be used nor an ext4 below.
    pub fn at(scratch: &Scratch, name: &str, journal: Journal) -> Self {
        let path = scratch.directory(name);
        match mount(scratch, &path, journal) {
            Ok(image) => Self { path, image: Some(image) },
            Err(refusal) => {
                let kind = rustix::fs::statfs(&path).expect("a directory of the test can be asked");
                assert!(
                    u64::try_from(kind.f_type).is_ok_and(|kind| kind == EXT4_MAGIC),
                    "this row needs an ext4: an image could not be mounted ({refusal}), and {} lies on another \
                     file system; run as root with loop devices, or set TMPDIR to a directory on ext4",
                    path.display()
                );
                Self { path, image: None }
            }
        }
    }

    /// Its root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the disk away below the file system: what the kernel does not remember of this file gives EIO from now on.
    ///
    /// # Panics
    /// Where no image could be mounted.
    pub fn fail(&self, file: &Path) -> FailedDisk {
        let image =
            self.image.as_ref().expect("this row needs a disk of its own: run as root with loop devices");
        let file = File::open(file).expect("a file of the test can be opened");
        file.sync_all().expect("a file of the test can be synchronized");
        let bytes = std::fs::read(image).expect("an image can be read");
        fadvise(&file, 0, None, Advice::DontNeed).expect("pages can be given up");
        let opened = File::options().write(true).open(image).and_then(|image| image.set_len(0));
        opened.expect("an image can be cut off");
        FailedDisk { image: image.clone(), bytes }
    }
}

/// What a disk held.
#[derive(Debug)]
pub struct FailedDisk {
    image: PathBuf,
    bytes: Vec<u8>,
}

impl FailedDisk {
    /// Gives everything back.
    pub fn mend(self) {
        std::fs::write(&self.image, &self.bytes).expect("an image can be written");
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        // A lazy one: an agent of a test that failed may still hold a log.
        if self.image.is_some() && run("umount", &["-l".as_ref(), self.path.as_os_str()]).is_err() {
            println!("{} is still mounted", self.path.display());
        }
    }
}

fn mount(scratch: &Scratch, path: &Path, journal: Journal) -> Result<PathBuf, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("that takes root".to_owned());
    }
    let image = scratch.join("ext4.image");
    let made = File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES));
    made.map_err(|error| error.to_string())?;
    let feature = match journal {
        Journal::Kept => "has_journal",
        Journal::Absent => "^has_journal",
    };
    let settings = ["-q", "-I", "256", "-O", feature, "-E", "lazy_itable_init=0"].map(AsRef::as_ref);
    run("mkfs.ext4", &[&settings[..], &[image.as_os_str()]].concat())?;
    let options = ["-o", "loop,noatime"].map(AsRef::as_ref);
    run("mount", &[&options[..], &[image.as_os_str(), path.as_os_str()]].concat())?;
    Ok(image)
}

fn run(name: &str, arguments: &[&std::ffi::OsStr]) -> Result<(), String> {
    let output = Command::new(program(name)).args(arguments).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
