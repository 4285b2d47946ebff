"""summary-of-kind"""
