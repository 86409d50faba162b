import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { findProgram } from '../parts/find-program.ts'

/** Runs `go` in a folder and answers what it prints. Throws with the end of what it says when it fails, or when there is none. */
export async function runGo(args: readonly string[], cwd: string): Promise<string> {
  const program = findProgram('go', process.env)
  if (program === undefined) throw new Error('needs Go 1.26 or newer on PATH')
  const env = { ...process.env, CGO_ENABLED: '0' }
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const end = Buffer.concat([...errors, ...output])
    .toString()
    .split('\n')
    .slice(-20)
    .join('\n')
  if (code !== 0) throw new Error(`go ${args[0]} failed:\n${end}`)
  return Buffer.concat(output).toString()
}
