import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where real parts are kept: outside the tree, beside the Node that `bin/with-node` installs. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  return (
    env['CARILLON_CACHE'] ??
    join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'carillon')
  )
}
