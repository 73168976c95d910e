//! QEMU, and what it is told that the machine is.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::Accel;
use super::outside::Controller;
use super::{monitor, trap};
use crate::children::{self, Guarded};
use crate::setup::Flavour;
use crate::setup::image::Image;

/// The guest's memory, in MiB: what the debug kernel's checkers note takes room.
fn memory(flavour: Flavour) -> u32 {
    match flavour {
        Flavour::Stock => 1024,
        Flavour::Debug => 2048,
    }
}

/// A NUMA node for each processor, with its share of the memory: what is said of a thread on a node
/// can be seen only where there is another. A single processor needs none.
fn add_nodes(command: &mut Command, processors: u32, memory: u32) {
    if processors == 1 {
        return;
    }
    let share = memory / processors;
    for node in 0..processors {
        command
            .arg("-object")
            .arg(format!("memory-backend-ram,id=memory{node},size={share}M"));
        command.arg("-numa").arg(format!(
            "node,nodeid={node},cpus={node},memdev=memory{node}"
        ));
    }
}

/// Whether the host's processors all count the same time, which those that QEMU emulates pass on.
///
/// The guest would not believe it, and read its time from an emulated device, which is slow.
fn has_one_time() -> bool {
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    fs::read_to_string(SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

fn command(image: &Image, accel: Accel) -> Command {
    let mut command = children::command("qemu-system-x86_64");
    match accel {
        Accel::Tcg => command.args(["-accel", "tcg,thread=multi"]),
        Accel::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
        // Idle time is skipped.
        Accel::Icount => command.args(["-accel", "tcg", "-icount", "shift=0,sleep=off"]),
    };
    let processors = if accel == Accel::Icount { 1 } else { 2 };
    let memory = memory(image.flavour);
    // A socket for each node: processors of one socket that are on several make no sense to the kernel.
    command
        .arg("-smp")
        .arg(format!("{processors},sockets={processors}"));
    command.arg("-m").arg(memory.to_string());
    add_nodes(&mut command, processors, memory);
    command.args(["-display", "none", "-no-reboot", "-nodefaults"]);
    command
        .arg("-kernel")
        .arg(&image.vmlinuz)
        .arg("-initrd")
        .arg(&image.initrd);
    command
}

/// Starts the machine, with its console on QEMU's standard output, and the lab's line at `socket`.
pub fn start(
    image: &Image,
    accel: Accel,
    socket: &Path,
    hardware: Option<&(Controller, monitor::Socket)>,
) -> Result<Guarded> {
    let mut command = command(image, accel);
    if let Some((controller, monitor)) = hardware {
        controller.add_to(&mut command);
        monitor.add_to(&mut command);
        trap::add_to(&mut command);
    }
    command.args([
        "-chardev",
        "stdio,id=console,signal=off",
        "-serial",
        "chardev:console",
    ]);
    command
        .arg("-chardev")
        .arg(format!("socket,id=lab,path={}", socket.display()));
    command.args(["-serial", "chardev:lab"]);
    // Only warnings and worse go to the console: it is slow. The guest sends the rest.
    // It is not to look by itself which memory a program uses from afar, which costs faults.
    // A kernel that dies while the machine sleeps is to say so. And it is not to look whether the
    // timer's interrupts come fast enough as it boots: on a busy host they do not.
    let mut line =
        "console=ttyS0 loglevel=5 panic=-1 oops=panic log_buf_len=4M no_console_suspend \
                    no_timer_check numa_balancing=disable"
            .to_owned();
    if accel == Accel::Tcg && has_one_time() {
        line += " tsc=reliable";
    }
    command.args(["-append", &line]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    children::spawn(command)
}

/// Boots the guest with its console on this terminal.
pub fn shell(image: &Image, accel: Accel) -> Result<()> {
    let mut command = command(image, accel);
    command.args(["-serial", "mon:stdio"]);
    command.args(["-append", "console=ttyS0 loglevel=5 panic=-1 lab.shell"]);
    let status = children::run_in_foreground(command)?;
    anyhow::ensure!(status.success(), "QEMU ended with {status}");
    Ok(())
}
