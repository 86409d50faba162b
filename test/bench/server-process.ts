import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A server under load: a process of its own. */
export interface ServerProcess {
  url: string
  pid: number
  stop(): Promise<void>
}

/** Starts one of `servers/` and waits until it says where it listens. */
export async function startServer(script: string, args: readonly string[]): Promise<ServerProcess> {
  const path = join(import.meta.dirname, 'servers', script)
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const url = await Promise.race([firstLine(child), ended])
  if (typeof url !== 'string') throw new Error(`${script} ended before it listened`)
  return {
    url,
    pid: child.pid!,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface({ input: stdout! }), 'line')) as [string]
  return line
}
