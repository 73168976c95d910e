//! How long it is until the driver tries a modem again that has failed: its own file, tested here,
//! because minutes would pass in the guest.

#[path = "../../../kernel/usbatm/back_off.rs"]
mod kernel;

use kernel::BackOff;

#[test]
fn it_grows_and_is_bounded() {
    let mut back_off = BackOff::new();
    let times = [(); 7].map(|()| back_off.next(false));
    assert_eq!(times, [5, 10, 20, 40, 60, 60, 60]);
}

#[test]
fn a_reset_is_tried_at_once_and_the_next_is_not() {
    let mut back_off = BackOff::new();
    let times = [(); 6].map(|()| back_off.next(true));
    assert_eq!(times, [0, 5, 10, 20, 40, 60]);
}

#[test]
fn a_modem_that_relapses_is_left_alone_ever_longer() {
    let times = [0, 1, 2, 3, 4, 5, 6, 7, u32::MAX].map(BackOff::after_relapses);
    let [none, first, rest @ ..] = times;
    assert_eq!((none, first), (None, None));
    let expected = [5, 10, 20, 40, 60, 60, 60];
    assert_eq!(rest, expected.map(Some));
}

#[test]
fn a_modem_that_was_up_for_a_minute_has_not_relapsed() {
    let soon = [0, 1, u32::MAX].map(|before| BackOff::relapses(before, 59_999));
    assert_eq!(soon, [1, 2, u32::MAX]);
    let late = [0, 1, u32::MAX].map(|before| BackOff::relapses(before, 60_000));
    assert_eq!(late, [0; 3]);
}
