//! The tests on the debug kernel, `debug::…`: every in-kernel test, the same ones short
//! of memory, the scenarios, those with Debian's clients, and what there is to see of our
//! modules, all with nothing leaked and no report; then, in the same machines, that the
//! checkers would have noticed.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;

use super::{Ground, SILENCE, vm_trial};
use crate::fleet::{After, Care};
use crate::guest::scenarios;
use crate::parity;
use crate::protocol::Job;
use crate::setup::{Flavour, Lab};
use crate::vm::Vm;

/// A fault that the module `faults` commits.
#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    /// What is then to be heard.
    report: &'static str,
    /// In which machine it is to be committed.
    care: Care,
    after: After,
}

impl Fault {
    /// One that the checkers tell of whatever they told of before.
    const fn new(name: &'static str, report: &'static str) -> Self {
        Self {
            name,
            report,
            care: Care::Any,
            after: After::Spoilt,
        }
    }
}

/// All of them. Lockdep tells of one fault, and of none after KASAN has told of one; and who
/// hangs keeps the module.
const FAULTS: [Fault; 7] = [
    Fault {
        care: Care::Clean,
        ..Fault::new("lock_inversion", "possible circular locking dependency")
    },
    Fault::new(
        "sleep_in_atomic",
        "BUG: sleeping function called from invalid context",
    ),
    Fault::new("use_after_free", "BUG: KASAN: slab-use-after-free"),
    Fault::new("out_of_bounds", "BUG: KASAN: slab-out-of-bounds"),
    Fault::new("free_active_timer", "ODEBUG: free active"),
    Fault::new("leak", "allocated during leak"),
    Fault {
        after: After::Dies,
        ..Fault::new("hang", "blocked for more than")
    },
];

/// The in-kernel tests that are done short of memory: one for each thing that takes
/// memory to start or to wait for. Each takes a score of rounds.
const STARVED: [&str; 17] = [
    "ends_by_itself",
    "formatted_name",
    "startup_awaited",
    "stop_while_waiting_for_completion",
    "firmware_wait_is_broken",
    "work_ends_by_itself",
    "stop_breaks_the_waits_of_work",
    "chore_comes_up_again",
    "closure_that_owns_its_scope",
    "inner_ends_alone",
    "stop_while_ticking",
    "thread_stays_on_its_cpus",
    "stop_while_locking",
    "notify_all_wakes_all",
    "channel_drops_its_values",
    "signal_is_waited_for",
    "pause_holds_a_thread_still",
];

/// The scenarios that the debug kernel has no place for: controllers without MSI get no interrupts
/// (see `CONFIG_PCI_MSI` in its configuration), and hibernation wants swap and block devices.
const NOT_HERE: [&str; 5] = [
    "asleep::end_of_an_unknown_sleep_starts_nothing",
    "asleep::modem_that_comes_late_waits",
    "power::comes_up_at_ehci",
    "power::sleep_at_ehci",
    "power::hibernation_up_to_the_image",
];

/// The crates whose code has to be checked by KASAN.
const CHECKED: [&str; 7] = [
    "kernel/kthread/kthread.o",
    "kernel/usb/usb.o",
    "kernel/atm/atm.o",
    "kernel/usbatm/usbatm.o",
    "kernel/speedtch/speedtch.o",
    "kernel/kexample/kexample.o",
    "wire/wire.o",
];

/// All of them, with the in-kernel tests `cases`. The machines of `clients` have Debian's clients in them,
/// and serve for everything: they are searched for leaks at the end, and spoilt then.
pub fn trials(lab: &Lab, cases: &[String], clients: &Arc<Ground>) -> Result<Vec<Trial>> {
    let mut trials = vec![all_is_checked(lab, clients)];
    for (index, name) in cases.iter().cloned().enumerate() {
        let title = format!("debug::kthread::{name}");
        trials.push(vm_trial(clients, title, Job::KernelTest { index, name }));
    }
    for name in STARVED {
        let index = cases.iter().position(|case| case == name);
        let job = Job::StarvedKernelTest {
            index: index.with_context(|| format!("kthread_test has no case {name}"))?,
            name: name.to_owned(),
        };
        trials.push(vm_trial(clients, format!("debug::starved::{name}"), job));
    }
    let others = [
        ("detached_threads", Job::StarvedDetached),
        ("modem", Job::StarvedModem),
        ("connections", Job::StarvedConnections),
        ("packets", Job::StarvedPackets),
        ("event", Job::StarvedEvent),
    ];
    trials.extend(
        others.map(|(name, job)| vm_trial(clients, format!("debug::starved::{name}"), job)),
    );
    let names = scenarios::names()?;
    let all = names.into_iter();
    let all = all.chain(scenarios::names_with_outside().map(str::to_owned));
    trials.extend(of_ours(clients, "scenario", all));
    trials.push(parity_test(lab, clients));
    let with_clients = scenarios::names_with_clients().map(str::to_owned);
    trials.extend(of_ours(clients, "clients", with_clients));
    let search = Arc::new(LeakSearch::default());
    trials.push(nothing_leaked(clients, &search));
    trials.extend(FAULTS.map(|fault| fault_is_noticed(clients, &search, fault)));
    Ok(trials)
}

/// The scenarios of these names but for those of the C drivers, which are not in the image, and
/// those that have no place here.
fn of_ours(
    ground: &Arc<Ground>,
    group: &str,
    names: impl Iterator<Item = String>,
) -> impl Iterator<Item = Trial> {
    let is_ours = |name: &String| !name.starts_with("c_driver");
    let here = names.filter(move |name| is_ours(name) && !NOT_HERE.contains(&name.as_str()));
    here.map(move |name| {
        let title = format!("debug::{group}::{name}");
        vm_trial(ground, title, Job::Scenario(name))
    })
}

/// Our modules as a user sees them are the same as on the stock kernel.
fn parity_test(lab: &Lab, ground: &Arc<Ground>) -> Trial {
    let lab = lab.clone();
    let name = "debug::parity::with_the_stock_kernel".to_owned();
    ground.trial(name, move |ground| {
        ground.with_vm(|vm| parity::check_ours(&lab, ground.kernel()?, vm, SILENCE))
    })
}

/// The search for what the jobs in all machines have lost. (It takes ten seconds and more, so it
/// is not made after every single job; what is found names its job.)
#[derive(Default)]
struct LeakSearch(OnceLock<Result<(), String>>);

impl LeakSearch {
    /// What it finds; it is made for the first who asks.
    fn result(&self, ground: &Ground) -> Result<()> {
        let search = |vm: &mut Vm| vm.run(&Job::Leaks, SILENCE, |_| {}).map(drop);
        let found = self.0.get_or_init(|| {
            let found = ground
                .image()
                .and_then(|image| ground.fleet.each(image, search));
            found.map_err(|error| format!("{error:#}"))
        });
        found.clone().map_err(anyhow::Error::msg)
    }
}

/// Nothing that the jobs so far allocated is lost, in any machine.
fn nothing_leaked(ground: &Arc<Ground>, search: &Arc<LeakSearch>) -> Trial {
    let search = Arc::clone(search);
    ground.trial("debug::leaks_nothing".to_owned(), move |ground| {
        search.result(ground)
    })
}

/// The compiler put KASAN's checks into our Rust code too.
fn all_is_checked(lab: &Lab, ground: &Arc<Ground>) -> Trial {
    let (root, build) = (lab.root.clone(), Flavour::Debug.inside("build"));
    ground.trial(
        "debug::checkers::kasan_sees_rust".to_owned(),
        move |ground| {
            if ground.made.get().is_none() {
                eprintln!("  … waiting for the debug kernel");
            }
            ground.made()?;
            for object in CHECKED {
                let symbols = root.output("nm -u \"$1\"", &[&format!("{build}/{object}")])?;
                ensure!(
                    symbols.contains("__asan_report_load"),
                    "{object} is not checked by KASAN"
                );
            }
            Ok(())
        },
    )
}

/// A checker that overlooks its fault would have overlooked others, and what ran before proves
/// nothing.
fn fault_is_noticed(ground: &Arc<Ground>, search: &Arc<LeakSearch>, fault: Fault) -> Trial {
    let search = Arc::clone(search);
    let name = format!("debug::checkers::{}_is_noticed", fault.name);
    ground.trial(name, move |ground| {
        // A machine with a fault in it can't be searched any more; what is found is told elsewhere.
        let _ = search.result(ground);
        ground.fleet.attempt(ground.image()?, fault.care, |vm| {
            let mut said = String::new();
            for job in [Job::Fault(fault.name.to_owned()), Job::Leaks] {
                if let Err(error) = vm.run(&job, SILENCE, |_| {}) {
                    said += &error.to_string();
                }
                if said.contains(fault.report) {
                    return Ok(fault.after);
                }
            }
            bail!("nobody noticed; it said: {said}")
        })
    })
}
