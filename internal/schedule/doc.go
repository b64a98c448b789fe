// Package schedule says when: which times a timetable has, which of them are
// still to be dealt with, and what is done with one that comes while the last
// run is live. It is pure: times go in, times come out.
//
// # Daylight saving time
//
// The fields of a cron expression are read on the clock of its zone. The library
// that reads them never sees a zone: it is asked for the next reading of a clock
// without jumps, and this package finds the instant at which the zone's clock
// shows it.
//
//   - A reading that the clock jumps over, 02:30 on the night in spring, stands
//     for the end of the jump, 03:00. Several such are one time.
//   - A reading that the clock shows twice, 02:30 on the night in autumn, stands
//     for the first.
//   - An expression that allows every hour, as "*/15 * * * *" does, is about time
//     that passes rather than about hours of the day: it has each instant at which
//     the clock shows a reading that fits. So there is no pause of an hour in
//     autumn, and nothing extra in spring.
//
// Intervals know no zone.
package schedule
