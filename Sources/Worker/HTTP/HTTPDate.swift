// The date in an answer's head (RFC 9110 section 5.6.7).

internal import Glibc

public enum HTTPDate {
    /// As in `Sun, 06 Nov 1994 08:49:37 GMT`.
    /// - Parameter seconds: since 1970; earlier or later than four-digit years is shown as the nearest of
    ///   them.
    public static func text(secondsSince1970 seconds: Int) -> String {
        var seconds = time_t(min(max(seconds, 0), 253_402_300_799))
        var parts = tm()
        // In UTC and within four-digit years it always succeeds.
        _ = gmtime_r(&seconds, &parts)
        let weekday = weekdays[Int(parts.tm_wday) % weekdays.count]
        let month = months[Int(parts.tm_mon) % months.count]
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map(twoDigits).joined(separator: ":")
        let year = Int(parts.tm_year) + 1900
        return "\(weekday), \(twoDigits(parts.tm_mday)) \(month) \(year) \(clock) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func twoDigits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
