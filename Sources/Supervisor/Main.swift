@main
enum SupervisorMain {
    static func main() {}
}
