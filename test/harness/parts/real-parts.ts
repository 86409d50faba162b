/** `make real-parts`: installs the parts that are missing, so that no test has to be skipped. */
import { installPart, part, partNames } from './parts.ts'

for (const name of partNames) {
  if (part(name).available) continue
  process.stdout.write(`Installing ${name} ...\n`)
  try {
    await installPart(name)
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
    continue
  }
  const found = part(name)
  if (!found.available) {
    process.stderr.write(`${name}: installed, and still ${found.reason}\n`)
    process.exitCode = 1
  }
}
