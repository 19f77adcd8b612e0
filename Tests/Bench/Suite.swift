enum Suite { static func run(_ options: Options) throws {} }
