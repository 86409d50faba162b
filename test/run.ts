/**
 * `make test`: the checks and all tests, one after the other. The last line is `N passed, N failed, N skipped`, in
 * which each check counts as one; the exit code is 0 only when nothing failed and at least one test ran.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startVitest } from 'vitest/node'
import { part, partNames, requiredParts } from './harness/parts/parts.ts'
import { add, type Tally, tallyTests } from './tally.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

const checks: Record<string, string[]> = {
  format: ['node_modules/.bin/biome', 'format', '--max-diagnostics=20'],
  lint: ['node_modules/.bin/oxlint'],
  types: ['node_modules/.bin/tsc', '--project', '.'],
  'generated files': ['crds/generate.ts', '--check'],
}

let required
try {
  required = requiredParts(process.env)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(2)
}

let total: Tally = { passed: 0, failed: 0, skipped: 0 }
for (const [name, command] of Object.entries(checks)) {
  total = add(total, await runCheck(name, command))
}
total = add(total, await runTests())
total = add(total, reportMissingParts(required))
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exit(total.failed === 0 ? 0 : 1)

async function runCheck(name: string, command: string[]): Promise<Tally> {
  process.stdout.write(`${name} ... `)
  const begun = performance.now()
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  process.stdout.write(`${code === 0 ? 'passed' : 'FAILED'} (${seconds} s)\n`)
  if (code === 0) return { passed: 1, failed: 0, skipped: 0 }
  process.stdout.write(Buffer.concat(output))
  return { passed: 0, failed: 1, skipped: 0 }
}

async function runTests(): Promise<Tally> {
  const vitest = await startVitest([], { root, watch: false })
  const tally = tallyTests(vitest.state.getTestModules(), vitest.state.getUnhandledErrors().length)
  await vitest.close()
  if (tally.passed + tally.failed > 0) return tally
  process.stdout.write('FAILED: no test ran\n')
  return { ...tally, failed: 1 }
}

/** Says which real parts are missing; the tests that wanted them are in vitest's count already. */
function reportMissingParts(requiredNames: readonly string[]): Tally {
  let failed = 0
  for (const name of partNames) {
    const found = part(name)
    if (found.available) continue
    const isRequired = requiredNames.includes(name)
    if (isRequired) failed += 1
    process.stdout.write(
      `SKIPPED ${name}: ${found.reason}${isRequired ? ' (CARILLON_REQUIRE names it: a failure)' : ''}\n`,
    )
  }
  return { passed: 0, failed, skipped: 0 }
}
