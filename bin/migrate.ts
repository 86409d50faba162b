import { createLogger } from '../core/observability/logger.ts'
import type { migrateSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { StartRefused } from '../core/settings/start-refused.ts'
import { migrate } from '../core/store/migrate.ts'
import { isLoginRefused, isStoreUnavailable, openStore } from '../core/store/store.ts'

/** Brings the tables of a database up to this version. */
export async function migrateDatabase(settings: Settings<typeof migrateSettings>): Promise<void> {
  const logger = createLogger({ level: settings.logLevel })
  const store = openStore({ url: settings.databaseUrl, logger, poolSize: 1, queryTimeout: 0 })
  try {
    await store.ping().catch((error: unknown) => {
      if (!isStoreUnavailable(error) && !isLoginRefused(error)) throw error
      throw new StartRefused(`DATABASE_URL: ${(error as Error).message}`, 1, { cause: error })
    })
    await migrate(store.db)
    logger.info('The database is up to date')
  } finally {
    await store.close()
  }
}
