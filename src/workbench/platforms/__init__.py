"""Other platforms than Heroku: their plans and prices, and the file that each wants."""
