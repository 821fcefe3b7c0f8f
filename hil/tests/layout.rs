//! The rig and the box agree on the flash memory.

use gateway::store::map;

#[test]
fn the_rig_programs_the_factory_partition_and_no_partition_reaches_the_shared_sector() {
    assert_eq!(hil_wire::FACTORY, map::FACTORY.start);
    assert_eq!(hil_wire::PHONE_FIRMWARE, map::PHONE_FIRMWARE.start);
    assert_eq!(hil_wire::SECTOR, map::SECTOR);
    assert!(
        map::ALL
            .iter()
            .all(|partition| partition.end() <= hil_wire::FLASH_SIZE)
    );
}
