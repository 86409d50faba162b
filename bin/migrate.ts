import { createLogger } from '../core/observability/logger.ts'
import type { LogLevel } from '../core/settings/known.ts'
import { StartRefused } from '../core/settings/start-refused.ts'
import { migrate } from '../core/store/migrate.ts'
import { isStoreUnavailable, openStore } from '../core/store/store.ts'

/** Brings the tables of a database up to this version. */
export async function migrateDatabase(settings: { databaseUrl: string; logLevel: LogLevel }): Promise<void> {
  const logger = createLogger({ level: settings.logLevel })
  const store = openStore({ url: settings.databaseUrl, logger, poolSize: 1 })
  try {
    await store.ping().catch((error: unknown) => {
      throw isRefusal(error) ? new StartRefused(`DATABASE_URL: ${error.message}`, 1, { cause: error }) : error
    })
    await migrate(store.db)
    logger.info('The database is up to date')
  } finally {
    await store.close()
  }
}

/** Away, or not for us: SQLSTATE 28 is a wrong log-in, 3D a database that does not exist. */
function isRefusal(error: unknown): error is Error {
  const { code } = error as { code?: unknown }
  return (
    error instanceof Error &&
    (isStoreUnavailable(error) || (typeof code === 'string' && /^(28|3D)/.test(code)))
  )
}
