/*
Purpose: remove what earlier versions had and this one has not.
Version: {{version}}
*/
DROP PROCEDURE IF EXISTS sqlexec.start_log;
DROP PROCEDURE IF EXISTS sqlexec.end_log;
DROP PROCEDURE IF EXISTS sqlexec.remove_job;
