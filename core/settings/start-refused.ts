/**
 * A start that cannot go on for a reason its operator can mend: a wrong setting, a port in use. The command prints `message` as
 * one line, without a stack; every other error is a defect and keeps its stack.
 */
export class StartRefused extends Error {
  /** 2: the command line or the settings are wrong. 1: everything else. */
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StartRefused'
    this.exitCode = exitCode
  }
}
