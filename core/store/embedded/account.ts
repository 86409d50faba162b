import { readFileSync, statSync } from 'node:fs'
import { StartRefused } from '../../settings/start-refused.ts'

/** An account of this machine that is not root. */
export interface Account {
  uid: number
  gid: number
}

/**
 * The account that PostgreSQL has to run under, because it refuses root; undefined when our own will do. A cluster that exists stays
 * with its owner; a new one goes to the account that is meant for PostgreSQL, else to `nobody`.
 */
export function serverAccount(clusterFolder: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const owner = statSync(clusterFolder, { throwIfNoEntry: false })
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const account = accountCalled('postgres') ?? accountCalled('nobody')
  if (account === undefined) {
    throw new StartRefused('PostgreSQL does not run as root, and there is no account postgres or nobody')
  }
  return account
}

function accountCalled(name: string): Account | undefined {
  // initdb looks its own account up by number, so only one that the machine knows will do.
  const fields = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([candidate]) => candidate === name)
  return fields && { uid: Number(fields[2]), gid: Number(fields[3]) }
}
