import type { ChildProcess } from 'node:child_process'

const running = new Set<ChildProcess>()

/** Lets a program not outlive this process, however this one ends, unless by SIGKILL. */
export function endWithProcess(child: ChildProcess): void {
  if (running.size === 0) {
    process.on('exit', endAll)
    for (const signal of signals) process.on(signal, endBy)
  }
  running.add(child)
  child.once('exit', () => {
    running.delete(child)
    if (running.size === 0) stopListening()
  })
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

function endBy(signal: NodeJS.Signals): void {
  endAll()
  stopListening()
  // Whoever asked this process to end has not been heard yet: only now nobody listens.
  process.kill(process.pid, signal)
}

function stopListening(): void {
  process.off('exit', endAll)
  for (const signal of signals) process.off(signal, endBy)
}
