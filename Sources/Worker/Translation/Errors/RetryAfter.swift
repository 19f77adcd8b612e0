// When to try again, out of what servers write: whole seconds for the client, rounded up. Pure.

enum RetryAfter {
    /// A day; more is a mistake. Clients are told `FailureTerms.longestRetry` at most.
    private static let limit = 86_400

    /// - Parameter now: seconds since 1970; 0 if unknown, then dates say nothing.
    static func seconds(header: String?, reset: String?, message: String, now: Int) -> Int? {
        if let header {
            if let seconds = number(header) { return seconds }
            if now > 0, let date = date(header) { return max(0, min(date - now, limit)) }
            if let seconds = duration(header) { return seconds }
        }
        if let reset, let seconds = duration(reset) ?? number(reset) { return seconds }
        let text = message.lowercased()
        for phrase in ["try again in ", "retry in ", "retry after ", "retrydelay\": \""] {
            guard let found = text.end(of: phrase) else { continue }
            let rest = String(text[found...].prefix(24))
            if let seconds = duration(rest) ?? number(rest) { return seconds }
        }
        return nil
    }

    /// `20`, `1.5`: seconds. Only if nothing but space follows.
    private static func number(_ text: String) -> Int? {
        let trimmed = text.split(separator: " ").first.map(String.init) ?? ""
        guard let value = Double(trimmed), value >= 0, value.isFinite else { return nil }
        return min(Int(min(value, Double(limit)).rounded(.up)), limit)
    }

    /// `6m0s`, `1.2s`, `250ms`, `1h2m`: at the start of the text.
    private static func duration(_ text: String) -> Int? {
        var seconds = 0.0
        var isFound = false
        var rest = text[...]
        while let first = rest.first, first.isASCII, first.isNumber {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count).drop { $0 == " " }
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            guard let value = Double(digits.hasSuffix(".") ? digits.dropLast() : digits) else { return nil }
            switch unit {
            case "ms", "milliseconds": seconds += value / 1000
            case "s", "sec", "second", "seconds": seconds += value
            case "m", "min", "minute", "minutes": seconds += value * 60
            case "h", "hour", "hours": seconds += value * 3600
            default: return isFound ? bounded(seconds) : nil
            }
            isFound = true
            rest = rest.dropFirst(unit.count)
        }
        return isFound ? bounded(seconds) : nil
    }

    private static func bounded(_ seconds: Double) -> Int { Int(min(seconds, Double(limit)).rounded(.up)) }

    /// An IMF-fixdate (RFC 9110 section 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> Int? {
        let words = text.split(separator: " ")
        guard words.count == 6, let day = Int(words[1]), let year = Int(words[3]),
            let month = months.firstIndex(of: words[2].lowercased()),
            (1...31).contains(day), (1970...9999).contains(year)
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, clock.allSatisfy({ (0...60).contains($0) }) else { return nil }
        return days(year, month + 1, day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// Days since 1970-01-01, counted in years that begin in March.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let monthFromMarch = (month + 9) % 12
        let leaps = shifted / 4 - shifted / 100 + shifted / 400
        return shifted * 365 + leaps + (monthFromMarch * 153 + 2) / 5 + day - 719_469
    }
}

extension String {
    /// Where the text behind the first occurrence of `phrase` begins.
    func end(of phrase: String) -> String.Index? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(phrase) { return index(start, offsetBy: phrase.count) }
            formIndex(after: &start)
        }
        return nil
    }
}
