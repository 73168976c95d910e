//! Threads on a NUMA node, and where the kernel says that they are.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::modules;
use super::scenarios::Scenario;
use super::sysfs::{Thread, kernel_threads};
use crate::protocol::Driver;

/// The scenarios of this page.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("nodes::threads_are_on_their_node", |_| on_their_node()),
    ("nodes::threads_on_a_cpu_are_near_it", |_| near_their_cpu()),
];

/// Threads that are to be on a node may run on its processors only, have run there, and have their
/// stacks there.
fn on_their_node() -> Result<()> {
    for node in Node::all()? {
        let number = node.number;
        check(&format!("on_node={number}"), &node, &node.processors)?;
    }
    Ok(())
}

/// Threads that are to be on a processor have their stacks on its node.
fn near_their_cpu() -> Result<()> {
    for node in Node::all()? {
        let processor = &node.processors;
        check(&format!("on_cpu={processor}"), &node, processor)?;
    }
    Ok(())
}

/// Puts threads somewhere, by the test module's `parameter`, and sees whether they are there.
fn check(parameter: &str, node: &Node, processors: &str) -> Result<()> {
    let before = node.stacks()?;
    let parameters = format!("case=0 {parameter}");
    modules::insmod(Driver::Ours, "kthread_test", &parameters)?;
    let is_so = look(node, processors, &before);
    modules::rmmod("kthread_test")?;
    is_so.context(parameters)
}

/// Sees whether the threads are where they should be.
fn look(node: &Node, processors: &str, before: &Stacks) -> Result<()> {
    let after = node.stacks()?;
    let mut threads = kernel_threads();
    threads.retain(|thread| thread.name == "placed");
    ensure!(!threads.is_empty(), "there are no threads");
    for thread in &threads {
        let allowed = allowed(thread)?;
        ensure!(
            allowed == processors,
            "a thread may run on {allowed} instead of {processors}"
        );
        let last = last_processor(thread)?;
        ensure!(last == processors, "a thread ran on {last}");
    }
    let here = after.here.saturating_sub(before.here);
    let elsewhere = after.elsewhere.saturating_sub(before.elsewhere);
    // A stack has at least 16 KiB. The kernel counts a little late, and starts other threads too.
    ensure!(
        here > threads.len() as u64 * 16 / 2 && elsewhere < here / 4,
        "the stacks of {} threads took {here} KiB there and {elsewhere} KiB elsewhere",
        threads.len()
    );
    Ok(())
}

/// A node, of which there are several in the lab's machines, with one processor each.
struct Node {
    number: usize,
    processors: String,
    others: Vec<usize>,
}

/// How much memory the stacks of the kernel's threads take, in KiB.
struct Stacks {
    here: u64,
    elsewhere: u64,
}

impl Node {
    fn all() -> Result<Vec<Self>> {
        let is_there = |number: &usize| fs::exists(folder(*number)).unwrap_or(false);
        let numbers: Vec<_> = (0..).take_while(is_there).collect();
        ensure!(numbers.len() > 1, "this machine has a single node");
        let node = |&number: &usize| {
            let processors = fs::read_to_string(format!("{}/cpulist", folder(number)))?;
            Ok(Self {
                number,
                processors: processors.trim().to_owned(),
                others: numbers.iter().copied().filter(|n| *n != number).collect(),
            })
        };
        numbers.iter().map(node).collect()
    }

    fn stacks(&self) -> Result<Stacks> {
        Ok(Stacks {
            here: stacks_on(self.number)?,
            elsewhere: self
                .others
                .iter()
                .map(|&node| stacks_on(node))
                .sum::<Result<_>>()?,
        })
    }
}

/// What the kernel says of the node.
fn folder(node: usize) -> String {
    format!("/sys/devices/system/node/node{node}")
}

/// The stacks on one node, in KiB.
fn stacks_on(node: usize) -> Result<u64> {
    let text = fs::read_to_string(format!("{}/meminfo", folder(node)))?;
    let (_, rest) = text
        .split_once("KernelStack:")
        .context("the kernel does not count stacks")?;
    let number = rest.split_whitespace().next().unwrap_or_default();
    number.parse().context("not a number of KiB")
}

/// On which processors the thread may run, as a list.
fn allowed(thread: &Thread) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", thread.pid))?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(list.context("no list of processors")?.trim().to_owned())
}

/// The processor on which the thread ran last.
fn last_processor(thread: &Thread) -> Result<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", thread.pid))?;
    // The 39th field; behind the name, which is the second, the 37th.
    let field = stat
        .rsplit_once(") ")
        .and_then(|(_, fields)| fields.split(' ').nth(36));
    Ok(field.context("no processor")?.to_owned())
}
