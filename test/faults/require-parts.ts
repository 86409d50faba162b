import { part } from '../harness/parts/parts.ts'

/** The paths of the real parts that a world needs; ends the process where one is missing. */
export function requireParts(): { kafka: string; redis: string } {
  const [kafka, redis] = [part('kafka'), part('redis')]
  for (const found of [kafka, redis]) if (!found.available) refuse(found.reason)
  const paths = { kafka: kafka.available ? kafka.path : '', redis: redis.available ? redis.path : '' }
  if (Object.values(paths).some((path) => path.includes(':')))
    refuse('what runs elsewhere is not ours to break')
  return paths
}

function refuse(why: string): never {
  process.stderr.write(`${why} (make real-parts installs what is missing)\n`)
  process.exit(2)
}
