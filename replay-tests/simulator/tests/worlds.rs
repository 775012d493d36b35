//! A bounded run of the simulator, and that it would see what it is for.
use autopilot_simulator::{Bug, Summary, World, soak};

/// Worlds of the bounded run: about a minute and a half of one core as `./test` builds it.
const SEEDS: u64 = 400;
/// Worlds in which a sown bug has to show itself.
const SEEDS_OF_A_BUG: u64 = 200;

#[test]
fn every_world_holds() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lived = soak::live(0..SEEDS, cores, |_| ());
    let broken: Vec<String> = lived
        .iter()
        .filter_map(|world| world.as_ref().err().map(ToString::to_string))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let sum = |of: fn(&Summary) -> u64| lived.iter().flatten().map(of).sum::<u64>();
    // Worlds in which nothing happens hold too.
    assert!(sum(|world| world.settled) > SEEDS, "jobs were paid");
    assert!(sum(|world| world.bought) > SEEDS, "purchases were paid");
    assert!(sum(|world| world.crashes) > SEEDS, "hosts were killed");
    assert!(sum(|world| world.full_disks) > SEEDS, "commits failed");
}

#[test]
fn a_seed_is_one_world() {
    for seed in [3, 24] {
        let [one, other] = [(); 2].map(|()| World::live(seed, None, false).unwrap());
        assert_eq!(one, other);
    }
}

#[test]
fn every_sown_bug_of_the_host_is_caught() {
    for bug in Bug::ALL {
        let caught = (0..SEEDS_OF_A_BUG).find_map(|seed| World::live(seed, Some(*bug), false).err());
        let Some(broken) = caught else {
            panic!("{} lives through {SEEDS_OF_A_BUG} worlds", bug.name());
        };
        println!("{}: {broken}", bug.name());
    }
}
