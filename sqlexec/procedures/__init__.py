"""Python functions as stored procedures, and scripts that are kept in the database.

typed function --signature--> parameters, outputs --render--> CREATE OR ALTER PROCEDURE
               --ScriptText--> a readable script  -----------> or a row of sqlexec.script
"""
