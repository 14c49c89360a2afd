/** The user's price file where nobody names one. */
export const FILE_NAME = "prices.yaml"

/** Beside the database, unless `RUNLEDGER_PRICES` names another: the same place for every command of a folder. */
export const besideDatabase = (dbPath: string): string => dbPath.replace(/[^/\\]*$/, FILE_NAME)
