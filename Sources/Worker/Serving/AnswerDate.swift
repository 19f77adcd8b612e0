// The `date` field of every answer, made once per second.

internal import EventLoop
internal import Glibc
internal import HTTP

@Loop
enum AnswerDate {
    private static var second = -1
    private static var known = ResponseHead.Field("date", "")

    static var field: ResponseHead.Field {
        let now = time(nil)
        if now != second {
            second = now
            known = ResponseHead.Field("date", HTTPDate.text(secondsSince1970: now))
        }
        return known
    }
}
